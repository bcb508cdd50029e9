"""The statistics and the state: pure, no I/O, no clock, no Prometheus. Time comes in as `now`."""
