"""Fine-tuning at a vendor: examples become masked training lines, lines become a job, a job becomes a model that is measured.

lesson    examples -> the lines of a training file, made by the code that asks the model later      (masked)
estimate  the lines held against what vendors take; tokens and money
record    what was started, in one file of the state directory: written before and after each step at the vendor
work      start, look, cancel, clean up: the steps at the vendor
curve     result files -> losses -> a picture
measure   a tuned model on a test set
adopt     the model's name into the configuration, by a careful edit of two lines
"""
