"""Calls told by CloudEvents: KServe's and Seldon's payload loggers send one for each direction."""
