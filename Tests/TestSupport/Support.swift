import NumKit
