"""What is served over HTTP: the clinician's pages, the API, the door for events, health and metrics."""
