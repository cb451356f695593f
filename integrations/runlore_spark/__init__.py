"""runlore for pyspark.ml, which has no callbacks: `runlore.autolog()` or `runlore run`, and nothing else."""
