"""What a seed image is made of: the cluster's description, the list of images, what the archives hold."""
