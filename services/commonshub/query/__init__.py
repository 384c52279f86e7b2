"""GraphQL over the graph of records (Gen3: Peregrine)."""
