"""The explorer's index in OpenSearch."""
