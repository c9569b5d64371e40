def report(into, names):
    print("report", into)
