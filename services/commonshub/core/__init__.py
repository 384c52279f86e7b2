"""What the services share: settings, database, storage, tokens, policy, dictionary, errors."""
