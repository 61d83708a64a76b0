"""Real servers for the tests, one small file each: found, started on a free loopback address, stopped."""
