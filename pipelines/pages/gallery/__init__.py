"""The live gallery: a workspace's masks in LightlyStudio, and what people tag there."""
