"""The commands, one file each: options, one call, output."""
