"""Any exported segmentation network: how it is fed and what its output means, read from the file.

The one reader of ONNX files; it needs neither PyTorch nor a checkpoint.
"""
