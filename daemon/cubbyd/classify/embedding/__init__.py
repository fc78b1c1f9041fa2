"""The embeddings classifier: vectors of a mail's text beside its words, weighed by cross-validation.

source      what makes vectors, and of which text       folder      a local embedding model, its files and their digests
onnx        running it on this machine                   server      asking an OpenAI-compatible server instead
cache       vectors that were made before, on disk       index       the examples that are nearest
model       the trained model, and its file              head        from features and vectors to probabilities
classifier  one mail: embed, weigh, explain              opening     the parts put together
"""
