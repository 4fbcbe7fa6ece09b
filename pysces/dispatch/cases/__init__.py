"""Inputs on which the engines must agree: small, awkward, and made anew from fixed seeds."""
