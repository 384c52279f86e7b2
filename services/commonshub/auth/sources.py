"""On whose behalf a row of the policies was made. What one source gave, no other takes away."""

USER_FILE = "user.yaml"
CLI = "cli"
API = "api"
HUB = "hub"
BUILT_IN = "built-in"
