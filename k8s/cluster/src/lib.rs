//! A real one-node Kubernetes on a Linux machine, from source, without Docker, a VM or a registry.
