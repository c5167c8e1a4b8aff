"""Every number and name that is the same for each run and on each machine."""

from __future__ import annotations

from dataclasses import dataclass

SCALE = 4  # output side / input side, everywhere
DEFAULT_MODEL = "tiny"
LIBRARIES = ("torch", "diffusers", "gradio", "av", "opencv-python", "numpy")  # that shape a result
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in brightness (BT.601)
OBJECTS_BETWEEN_SWEEPS = 10_000  # of Python's garbage; with its own 700 torch and diffusers take a fifth longer to load

# Files that are read
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")  # frames of a clip that is a folder
VIDEO_KINDS = {  # as people call them, and how names of their files end; which demuxers open them is said in video/container.py
    "MP4": (".mp4", ".m4v"), "MOV": (".mov",), "MKV": (".mkv",), "WebM": (".webm",), "AVI": (".avi",),
    "MPEG": (".mpg", ".mpeg", ".vob"), "TS": (".ts", ".mts", ".m2ts"), "WMV": (".wmv", ".asf"), "FLV": (".flv",),
    "OGV": (".ogv",), "DV": (".dv",),
}  # fmt: skip
CLIP_SUFFIXES = (*sum(VIDEO_KINDS.values(), ()), ".gif", ".zip")  # of clips among other files
PEER_SUFFIXES = (".pth", ".safetensors")  # of ESRGAN checkpoints, which stand where a clip made elsewhere can

# Tiles, and memory
VAE_TILE = (960, 752)  # side and stride in pixels; published: 960 and 750, which does not fit the latent grid
ALONE_TILE, STABLESR_TILE = (960, 750), (1280, 1000)  # of tiles that are worked on alone, MGLD's and StableSR's
SMALLEST_TILE_PX = 128  # to which the autoencoder's tiles shrink where memory runs short
TILE_HALVINGS = 2  # before a clip is refused for want of memory
FEATURES_BYTES = 2 * 2**30  # of a segment's features, from encoder to decoder; larger ones are computed twice
SEEN_BYTES = 256 * 2**20  # of encoded frames that are kept since they may come again; 16 of 512×512: 160 MB in float32

# Work in a cluster
WORK_ATTEMPTS = 3  # workers of a cluster that may fail at one segment, or at opening the model, before it is given up
SEGMENTS_PER_WORKER = 3  # in flight: one is sampled, one waits for its neighbours, one waits for a worker
WORKER_WAIT_S = 900.0  # for a place in the cluster and for the model to be opened there

# Comparisons, and the page
LAYERS_AT_MOST = 6  # of the comparison, the bicubic input among them
PAGE_PRESETS = {  # longer segments share fewer frames, so less is computed twice
    "Quick look": {"steps": 1, "segment": 9},  # two of 9 that share 2 are the 16 frames of PAGE_DEFAULT_FRAMES
    "Balanced": {"steps": 2, "segment": 5},
    "Paper": {"steps": 50, "segment": 5},
}
# of sliders; the API and the command line go further
PAGE_HIGHEST = {"steps": 50, "guidance": 1, "segment": 16, "overlap": 8}
PAGE_STEP = {"guidance": 0.01, "cfw": 0.05}
PREVIEW_EVERY_S = 0.5
PREDICTED_RANGE = (0.5, 1.9)  # of what was predicted: what runs took beside a load that changes, 8 of 10
PARTIAL_SHARE = 12  # a running comparison is shown again once this many times the last showing's seconds have passed
KEPT_SAMPLINGS = 24  # their latents, which are small
KEPT_SESSIONS = 6  # visitors whose last comparison can still be looked into
PAGE_SESSIONS = 200  # visitors for whom Gradio remembers what it has sent them, the last ones
REQUEST_BYTES = 4 * 2**20  # of a request that sends no file
TAKEN_BYTES = 2 * 2**30  # of all files of a comparison, up to which they are also offered as one zip

# What a dial and a sweep try
DIAL_STEPS = (1, 2, 4, 8, 15, 25, 50)  # of which the last is what the others are held against
DIAL_LOWER = ((600, (1, 2, 4, 8)), (800, (1, 2, 4, 8)))  # first timesteps, and the numbers of steps from there
DIAL_REUSE = ((2, (4, 8, 15, 25, 50)), (3, (8, 15, 25, 50)))  # DeepCache intervals, likewise
SWEEP = (0.0, 0.03, 0.1, 0.3, 1.0)  # guidance strengths that are tried unless told otherwise
SWEEP_COUNT = (3, LAYERS_AT_MOST - 1)  # the input is one more layer

# Weights of losses in training
GAN_WEIGHT = 0.025  # in the loss of the decoder (Eq. 8)
AUTOENCODER_GAN_WEIGHT = 0.02
CRITICS_SHARE = 0.2  # of the few-step stage: the critics' gradient at the picture in that of the other losses
FLAT_WEIGHT = (
    10.0  # of the few-step stage: of what flat ground shows beyond the truth above a quarter of the sampling rate
)

# Stages of training
DECODER_PHASES = ("backbone", "frame", "joint", "temporal")
# VGG costs six times the tiny decoder: more pictures, each judged in one random square, teach more per second.
LPIPS_SQUARE_PX = 64
SHEET_EVERY_STEPS = 500


@dataclass(frozen=True)
class Limits:
    """What a clip may be; protects the machine from hostile or hopeless input."""

    smallest_side_px: int = 16
    largest_frame_px: int = 3840 * 2160
    widest_aspect: float = 8.0
    lowest_fps: float = 0.1
    highest_fps: float = 120.0
    default_fps: float = 25.0
    streams: int = 48  # films carry subtitles in thirty languages
    archive_pictures: int = 20_000
    picture_bytes: int = 128 * 2**20  # of a file in an archive, unpacked
    decoder_bytes: int = 2 * 2**30  # address space of the process that decodes
    decoder_stall_s: float = 60.0  # without a frame, before the decoder is given up


LIMITS = Limits()
