"""Records richer than numbers: images, audio, video, text, figures, tables, histograms and curves, by step."""
