"""The multi2vec-clip service: texts and pictures in one space."""
