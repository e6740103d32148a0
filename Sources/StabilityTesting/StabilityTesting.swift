// What tests are written with: numbers, questions and the truth come along.
@_exported import NumKit
