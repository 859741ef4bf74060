"""The errors that reading a file raises which is damaged, or which somebody else wrote."""

import csv
import zlib
from zipfile import BadZipFile

import yaml
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError

# Parsers raise their own errors and Python's; looking into what they return raises Python's as well.
# AssertionError isn't among them: that is a bug of ours, and comes through. Neither are Arrow's own, which
# take a quarter of a second to import: they are added where Arrow reads.
UNREADABLE = (
    OSError, EOFError, MemoryError, RuntimeError,  # RuntimeError: nested too deep, encrypted, wrong shapes
    ValueError, TypeError, AttributeError, LookupError, OverflowError, StopIteration,
    BadZipFile, zlib.error, csv.Error, yaml.YAMLError, OmegaConfBaseException, SafetensorError,
)  # fmt: skip
