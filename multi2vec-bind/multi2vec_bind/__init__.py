"""The multi2vec-bind service: texts, pictures, video, sound, depth, thermal pictures and motion in one space."""
