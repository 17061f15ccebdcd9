"""The database wing: from objects to stored vectors, from queries to hits. Reaches models only over HTTP."""
