"""One idea in many kinds of instance: is a feature the same concept in all of them?"""
