"""Where photos came from: what their crawl and they themselves say of it, and what may be used."""
