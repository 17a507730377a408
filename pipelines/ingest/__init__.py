"""Ingestion: a crawl in, portraits with judged masks out."""
