"""Worker: the only place where a model's code runs; a fork server, check processes, model processes, all confined."""
