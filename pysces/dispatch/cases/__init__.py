"""Inputs on which the engines must agree: small edge cases, generated from fixed seeds."""
