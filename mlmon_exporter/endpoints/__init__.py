"""What is served under paths of ours."""
