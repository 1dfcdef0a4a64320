"""Taking in what gateways send: read, store once, judge what it means, commit, and only then acknowledge."""
