"""The running program: intake, the pipeline, the queue, the poller, the web pages, the command line."""
