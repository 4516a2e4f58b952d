"""Black-box tests of the runtime, through its command line."""
