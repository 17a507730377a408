"""Label Studio: what its server, wire format and screen are; nothing of what is asked."""
