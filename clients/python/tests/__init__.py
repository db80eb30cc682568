"""Tests; those of the adapters and of the README need a server with the extension, which libpq's environment names."""
