"""From a TensorFlow recommender to a phone-ready TFLite bundle, with proof that both recommend the same."""
