"""What a map is used for: labels, keypoints, colours."""
