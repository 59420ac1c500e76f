//! Container images as OCI archives, made without Docker.
