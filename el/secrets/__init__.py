"""Secrets by reference: what stands for a secret, and one module for each place that keeps secrets."""
