"""The folder everything lives in: settings, store, locks, names of files, errors."""
