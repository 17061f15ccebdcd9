"""The img2vec-neural service: one picture in, one vector out."""
