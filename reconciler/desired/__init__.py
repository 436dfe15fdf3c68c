"""Desired state: bytes to manifests to resources, JSON Schema, and resources back to YAML.

Floor 1. Everything in here is a function of its arguments: no files, no clock, no environment. The caller says what a tree
holds, hands over a reader for its blobs, and keeps the caches between two loads. What a kind means is not written here: it
comes from the provider's table (`reconciler.provider.kind`).
"""
