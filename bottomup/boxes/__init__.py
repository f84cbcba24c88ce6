"""One-stage networks that give each person as a row: box, score, parts. YOLO-pose, YOLOX-pose, RTMO."""
