"""tlcourse: a course on transfer learning, and the helpers that its lessons build."""

import os

from .foundations.allocator import keep_freed_memory

__version__ = "0.1.0"

# Both are read once, when TensorFlow is first imported, and a value that is already set wins. TensorFlow turns its oneDNN
# kernels on by itself only on newer processors; on one with AVX2 alone they make training faster, by how
# much benchmarks/onednn.py measures. The second keeps start-up notices for developers out of a learner's terminal.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
keep_freed_memory()
