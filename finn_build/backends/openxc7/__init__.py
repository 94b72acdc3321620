"""The open tools for 7 series: nextpnr places and routes, Project X-Ray writes the bitstream."""
