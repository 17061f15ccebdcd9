"""The modality table: every spelling of a modality, in one row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """One kind of input.

    Attributes:
        name: key of one item in ``POST /vectors``, e.g. ``image``.
        plural: key of the list in ``POST /vectorize``, e.g. ``images``.
        answer: key of the vectors in the answer of ``POST /vectorize``, e.g. ``imageVectors``.
        fields_key: key of the property list in a class definition, e.g. ``imageFields``.
    """

    name: str
    plural: str
    answer: str
    fields_key: str


TEXT = Modality("text", "texts", "textVectors", "textFields")
IMAGE = Modality("image", "images", "imageVectors", "imageFields")
AUDIO = Modality("audio", "audio", "audioVectors", "audioFields")
VIDEO = Modality("video", "video", "videoVectors", "videoFields")
IMU = Modality("imu", "imu", "imuVectors", "imuFields")
THERMAL = Modality("thermal", "thermal", "thermalVectors", "thermalFields")
DEPTH = Modality("depth", "depth", "depthVectors", "depthFields")

# The order in which Weaviate writes lists, concatenates weights and sums vectors.
MODALITIES = (TEXT, IMAGE, AUDIO, VIDEO, IMU, THERMAL, DEPTH)
