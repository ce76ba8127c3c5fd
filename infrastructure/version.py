"""The version of this program: what the package, the command line and the API's descriptions say."""

VERSION = "0.1.0"
