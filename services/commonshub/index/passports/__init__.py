"""GA4GH Passports: what other organizations' signed word on a caller opens, for one request."""
