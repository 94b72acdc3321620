"""The driver's version, as results.json records it."""

VERSION = "0.1.0"
