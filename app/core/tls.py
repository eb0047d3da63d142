"""Whom this process believes to be who they say they are, for every client that it has."""

import httpcore

# Made once and here, before workers fork: reading the roots takes longer than many a call.
TLS = httpcore.default_ssl_context()
