"""From YAML to objects: the only reader of the configuration."""
