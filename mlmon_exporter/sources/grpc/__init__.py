"""Calls of a model over gRPC: Triton's, KServe's and MLServer's service, or your own."""
