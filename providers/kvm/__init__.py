"""Provider kvm: virtual machines."""
