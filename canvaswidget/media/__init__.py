"""Read images, folders of images, videos and arrays as frames in ``[0, 1]``; label maps; data sets; optical flow."""

from canvaswidget.media.datasets import LabelledClip, VideoDataset, read_dataset
from canvaswidget.media.label_maps import read_masks
from canvaswidget.media.quality import mean_psnr, ms_ssim, n_scales, psnr, ssim
from canvaswidget.media.reading import (
    Clip,
    read,
    read_flow,
    read_folder,
    read_image,
    read_video,
)
from canvaswidget.media.resizing import resize

__all__ = [
    "Clip",
    "LabelledClip",
    "VideoDataset",
    "mean_psnr",
    "ms_ssim",
    "n_scales",
    "psnr",
    "read",
    "read_dataset",
    "read_flow",
    "read_folder",
    "read_image",
    "read_masks",
    "read_video",
    "resize",
    "ssim",
]
